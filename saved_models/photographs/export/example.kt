// build.gradle: implementation("com.google.ai.edge.litert:litert:1.4.0")
val file = assets.openFd("encoder-dynamic.tflite").run {
    FileInputStream(fileDescriptor).channel.map(FileChannel.MapMode.READ_ONLY, startOffset, declaredLength)
}
val interpreter = Interpreter(file, Interpreter.Options().setNumThreads(2))
val pixels = ByteBuffer.allocateDirect(128 * 128 * 3)  // RGB of an upright bitmap of 128×128: the centred square
for (y in 0 until 128) for (x in 0 until 128) bitmap.getPixel(x, y).let {
    pixels.put(Color.red(it).toByte()).put(Color.green(it).toByte()).put(Color.blue(it).toByte())
}
val embedding = Array(1) { FloatArray(128) }
interpreter.runSignature(mapOf("images" to pixels.rewind()), mapOf("embedding" to embedding), "embed")
