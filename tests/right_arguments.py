"""Right arguments of every public function and class, for the tests of wrong ones."""

from typing import Any

import numpy as np
from small_training import SMALL, three_taps

import rotkeras

images = np.zeros((8, 16, 16, 3), np.uint8)
features, labels = np.zeros((8, 4), np.float32), np.arange(8) % 2
views = np.ones((4, 2, 3), np.float32)
filters = np.zeros((4, 3, 3, 3), np.float32)


class Made:
    """Right values that are costly to make, each made once."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(self, f"make_{name}")()
        setattr(self, name, value)
        return value

    def make_model(self):
        return three_taps()

    def make_images(self):
        return rotkeras.data.Images.of(images, labels)

    def make_source(self):
        return rotkeras.data.load((images, labels), validation_fraction=0.25)

    def make_task(self):
        return rotkeras.pretext.Rotation()

    def make_callback(self):
        return rotkeras.training.callbacks.StopOnBadLoss()

    def make_faults(self):
        return rotkeras.transfer.Faults()

    def make_fine_tuning(self):
        return rotkeras.transfer.load_recipe("detect")

    def make_recipe(self):
        return rotkeras.recipe.validate(SMALL, "test")

    def make_run(self):
        from rotkeras.run.folder import Run

        return Run("nowhere")

    def make_report(self):
        return object.__new__(rotkeras.audit.Report)

    def make_encoder(self):
        return object.__new__(rotkeras.embedding.Encoder)

    def make_image_list(self):
        return object.__new__(rotkeras.embedding.ImageList)

    def make_neighbours(self):
        return object.__new__(rotkeras.embedding.Neighbours)

    def make_comparison(self):
        return rotkeras.compare.Settings(tasks=("rotation",), data="digits")

    def make_options(self):
        return rotkeras.evaluate.Options()


made = Made()
MODEL = {"model": lambda: made.model}
MAPPED = {**MODEL, "images": images}
FOUND = {"found": lambda: made.neighbours}

RIGHT: dict[str, dict[str, Any]] = {
    "attention.activation_maps": MAPPED,
    "attention.attention_grid": {
        "images": images[:, None], "maps": {"conv1": np.zeros((8, 1, 4, 4), np.float32)}
    },
    "attention.class_activation_maps": MAPPED,
    "attention.equivariance_score": MAPPED,
    "attention.filter_grid": {"filters": filters},
    "attention.filter_variety": {"filters": filters},
    "attention.first_filters": MODEL,
    "attention.maximise": {**MODEL, "units": [0]},
    "attention.mean_correlation": {"maps": np.zeros((2, 4, 3, 3), np.float32)},
    "attention.overlay": {"image": images[0], "attention": np.zeros((4, 4), np.float32)},
    "attention.quadruple_maps": MAPPED,
    "attention.quadruples": {"images": images},
    "audit.audit": {"source": images},
    "audit.shortcut_test": {"images": images},
    "audit.task_shortcuts": {"images": images, "task": lambda: made.task},
    "audit.write": {"report": lambda: made.report, "path": "audit.html"},
    "backbones.alexnet": {},
    "backbones.from_model": MODEL,
    "backbones.fuse_batch_norm": MODEL,
    "backbones.round_to_int8": MODEL,
    "backbones.keras_applications": {"model": "MobileNetV3Small"},
    "backbones.keras_file": {"path": "mine.keras"},
    "backbones.nin": {},
    "backbones.resnet": {},
    "backbones.revnet50": {},
    "backbones.vgg19_bn": {},
    "backbones.with_input_shape": {**MODEL, "input_shape": (24, 24, 3)},
    "benchmark.benchmark_training": {"recipe": lambda: made.recipe},
    "benchmark.benchmark_input": {"folder": "photos"},
    "benchmark.count_flops": MODEL,
    "callbacks.AttentionMaps": {"images": lambda: made.images},
    "callbacks.AveragedWeights": {},
    "callbacks.EmbeddingSpread": {"images": lambda: made.images},
    "callbacks.EncoderCheckpoint": {"folder": "run"},
    "callbacks.InOneProcess": {"callback": lambda: made.callback},
    "callbacks.LabelFreeQuality": {"images": lambda: made.images},
    "callbacks.MetricsLog": {"path": "metrics.csv"},
    "callbacks.ProbeAccuracy": {"source": lambda: made.source},
    "callbacks.Progress": {},
    "callbacks.ReplacedImages": {"source": lambda: made.source},
    "callbacks.RunCheckpoint": {"folder": "run"},
    "callbacks.StopOnBadLoss": {},
    "callbacks.Throughput": {"views_per_step": 64},
    "data.Crops": {"count": 10},
    "data.Images": {"array": images, "rows": np.arange(8)},
    "data.Source": {"name": "mine", "train": lambda: made.images, "validation": None},
    "data.augmentation.keras_cv": {"layer": "RandomGaussianBlur"},
    "data.augmentation.pad_crop_flip": {},
    "data.augmentation.random_flip": {},
    "data.augmentation.color_jitter": {},
    "data.augmentation.gaussian_blur": {},
    "data.augmentation.random_grayscale": {},
    "data.augmentation.random_resized_crop": {},
    "data.augmentation.random_solarize": {},
    "data.evaluation_pipeline": {
        "images": lambda: made.images, "task": lambda: made.task, "images_per_batch": 4
    },
    "data.load": {"source": images},
    "data.pipeline": {
        "images": lambda: made.images, "task": lambda: made.task, "images_per_batch": 4
    },
    "data.split": {"images": lambda: made.images, "fraction": 0.25},
    "device.Classifier": {"path": "classifier.tflite"},
    "device.Detector": {"path": "detector.tflite"},
    "device.Encoder": {"path": "encoder.tflite"},
    "device.Learner": {"path": "learner.tflite"},
    "device.Orienter": {"path": "orient.tflite"},
    "device.Segmenter": {"path": "segmenter.tflite"},
    "device.TFLiteFile": {"path": "any.tflite"},
    "device.check_golden": {"folder": "export"},
    "device.measure_latency": {"path": "any.tflite"},
    "embedding.embed": {
        "encoder": "encoder.keras", "images": images, "path": "features.npz"
    },
    "embedding.load_encoder": {"path": "encoder.keras"},
    "embedding.nearest": {
        "encoder": lambda: made.encoder,
        "queries": lambda: made.image_list,
        "images": lambda: made.image_list,
    },
    "embedding.open_images": {"source": images},
    "embedding.stream": {"encoder": lambda: made.encoder, "images": lambda: made.image_list},
    "embedding.write_neighbours": {**FOUND, "path": "nearest.csv"},
    "embedding.write_sheet": {**FOUND, "path": "nearest.png"},
    "evaluate.Options": {},
    "evaluate.evaluate_without_labels": {"run": lambda: made.run},
    "evaluate.evaluate": {
        "run": lambda: made.run, "options": lambda: made.options, "source": lambda: made.source
    },
    "export.export": {**MODEL, "source": lambda: made.source, "folder": "export"},
    "export.export_run": {"run": lambda: made.run},
    "export.parts_of": MODEL,
    "export.to_onnx": {"network": lambda: made.model, "path": "encoder.onnx"},
    "export.to_saved_model": {"network": lambda: made.model, "path": "saved"},
    "export.to_tflite": {"network": lambda: made.model, "path": "encoder.tflite"},
    "pretext.AET": {},
    "pretext.AMDIM": {},
    "pretext.BYOL": {},
    "pretext.BarlowTwins": {},
    "pretext.ESSL": {},
    "pretext.Exemplar": {},
    "pretext.InStep": {"task": lambda: made.task},
    "pretext.InstanceDiscrimination": {},
    "pretext.Jigsaw": {},
    "pretext.MoCo": {},
    "pretext.OnlineProbe": {"task": lambda: made.task, "classes": 10},
    "pretext.RelativePatch": {},
    "pretext.Rotation": {},
    "pretext.SimCLR": {},
    "pretext.SimSiam": {},
    "pretext.SwAV": {},
    "pretext.VICReg": {},
    "probes.PooledFeatures": {"network": lambda: made.model},
    "probes.Settings": {"budget": "mine", "epochs": 2, "at_epochs": (1,)},
    "probes.extract": {"extractor": lambda: made.model, "images": lambda: made.images},
    "probes.fit": {"network": lambda: made.model, "probe": "ridge", "train": lambda: made.images},
    "probes.knn": {"features": features, "labels": labels},
    "probes.logistic": {"features": features, "labels": labels},
    "probes.ridge": {"features": features, "labels": labels},
    "quality.alignment": {"embeddings": views},
    "quality.alpha_req": {"embeddings": features},
    "quality.lidar": {"embeddings": views},
    "quality.measure_quality": {"embeddings": features, "views": views},
    "quality.measure_spread": {"embeddings": features},
    "quality.rankme": {"embeddings": features},
    "quality.uniformity": {"embeddings": features},
    "recipe.dump": {"recipe": lambda: made.recipe},
    "recipe.find": {"name": "quickstart"},
    "recipe.load": {"name": "quickstart"},
    "recipe.shipped": {},
    "recipe.validate": {"content": {}, "name": "mine"},
    "training.Run": {"path": "run"},
    "compare.Settings": {"tasks": ("rotation",)},
    "compare.compare": {"settings": lambda: made.comparison, "folder": "compared"},
    "training.train": {"recipe": lambda: made.recipe, "run": lambda: made.run},
    "transfer.Faults": {},
    "transfer.classifier": {"network": lambda: made.model, "classes": 2},
    "transfer.detector": {"network": lambda: made.model, "classes": 2},
    "transfer.flat_detector": {"model": lambda: made.model},
    "transfer.load_recipe": {"task": "detect"},
    "transfer.read_boxes": {"folder": "boxes", "faults": lambda: made.faults},
    "transfer.read_masks": {"folder": "masks", "faults": lambda: made.faults},
    "transfer.run_fine_tuning": {"recipe": lambda: made.fine_tuning, "folder": "run"},
    "transfer.segmenter": {"network": lambda: made.model, "classes": 2},
    "report.write_report": {"runs": ["run"], "path": "report.html"},
    "taps.check": {**MODEL, "tap": "conv1"},
    "taps.copy": MODEL,
    "taps.cut": {**MODEL, "tap": "conv1"},
    "taps.default": MODEL,
    "taps.extractor": MODEL,
    "taps.flat": MODEL,
    "taps.maps": MODEL,
    "taps.names": MODEL,
    "taps.output": {**MODEL, "tap": "conv1"},
    "taps.untrained_copy": MODEL,
}  # fmt: skip
