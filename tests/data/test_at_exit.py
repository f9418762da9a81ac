import threading

import numpy as np

from rotkeras import data
from rotkeras.data import at_exit
from rotkeras.pretext import Rotation


def test_while_python_ends_reads_are_waited_for_and_then_give_black_images(monkeypatch):
    own = at_exit.Ending()
    monkeypatch.setattr("rotkeras.data.batches.ending", own)
    monkeypatch.setattr(at_exit, "_QUIET_SECONDS", 0.05)
    images = data.Images.of(np.full((8, 8, 8, 3), 7, np.uint8))
    inside, go_on = threading.Event(), threading.Event()
    take = data.Images.take

    def slow(self, positions):
        inside.set()
        go_on.wait(5)
        return take(self, positions)

    dataset = data.pipeline(images, Rotation(), images_per_batch=2, library="tensorflow").dataset
    monkeypatch.setattr(data.Images, "take", slow)
    iterator = iter(dataset)
    batches = []
    consumer = threading.Thread(target=lambda: batches.append(next(iterator)[0].numpy()))
    consumer.start()
    assert inside.wait(10)
    threading.Timer(0.1, go_on.set).start()
    own.wait()
    assert go_on.is_set()  # the read that was under way was waited for
    consumer.join(10)
    batches += [next(iterator)[0].numpy() for _ in range(60)]
    assert (batches[0] == 7).all()
    assert not batches[-1].any()
