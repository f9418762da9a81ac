// build.gradle: implementation("com.google.ai.edge.litert:litert:1.4.0")
val file = assets.openFd("encoder-int8.tflite").run {
    FileInputStream(fileDescriptor).channel.map(FileChannel.MapMode.READ_ONLY, startOffset, declaredLength)
}
val interpreter = Interpreter(file, Interpreter.Options().setNumThreads(2))
val pixels = ByteBuffer.allocateDirect(32 * 32 * 3)  // RGB of an upright, square bitmap of 32×32
for (y in 0 until 32) for (x in 0 until 32) bitmap.getPixel(x, y).let {
    pixels.put(Color.red(it).toByte()).put(Color.green(it).toByte()).put(Color.blue(it).toByte())
}
val embedding = Array(1) { ByteArray(48) }
interpreter.runSignature(mapOf("images" to pixels.rewind()), mapOf("embedding" to embedding), "embed")
val features = FloatArray(48) { (embedding[0][it] - (-128)) * 0.0042090863f }
