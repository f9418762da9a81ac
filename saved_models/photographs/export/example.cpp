// LiteRT's C API: link libtensorflowlite_c (or libLiteRt) and include "tensorflow/lite/c/c_api.h".
TfLiteModel* model = TfLiteModelCreateFromFile("encoder-dynamic.tflite");
TfLiteInterpreter* interpreter = TfLiteInterpreterCreate(model, TfLiteInterpreterOptionsCreate());
TfLiteSignatureRunner* embed = TfLiteInterpreterGetSignatureRunner(interpreter, "embed");
TfLiteSignatureRunnerAllocateTensors(embed);
// pixels: uint8_t[128 * 128 * 3], RGB rows of the centred square of an upright image
TfLiteTensorCopyFromBuffer(TfLiteSignatureRunnerGetInputTensor(embed, "images"), pixels, 128 * 128 * 3);
TfLiteSignatureRunnerInvoke(embed);
float embedding[128];
TfLiteTensorCopyToBuffer(TfLiteSignatureRunnerGetOutputTensor(embed, "embedding"), embedding, sizeof embedding);