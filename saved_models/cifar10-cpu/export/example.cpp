// LiteRT's C API: link libtensorflowlite_c (or libLiteRt) and include "tensorflow/lite/c/c_api.h".
TfLiteModel* model = TfLiteModelCreateFromFile("encoder-int8.tflite");
TfLiteInterpreter* interpreter = TfLiteInterpreterCreate(model, TfLiteInterpreterOptionsCreate());
TfLiteSignatureRunner* embed = TfLiteInterpreterGetSignatureRunner(interpreter, "embed");
TfLiteSignatureRunnerAllocateTensors(embed);
// pixels: uint8_t[32 * 32 * 3], RGB rows of an upright, square image
TfLiteTensorCopyFromBuffer(TfLiteSignatureRunnerGetInputTensor(embed, "images"), pixels, 32 * 32 * 3);
TfLiteSignatureRunnerInvoke(embed);
int8_t embedding[48];  // a feature is 0.0042090863f * (embedding[i] - (-128))
TfLiteTensorCopyToBuffer(TfLiteSignatureRunnerGetOutputTensor(embed, "embedding"), embedding, sizeof embedding);