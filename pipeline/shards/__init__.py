"""Records of clips: schema, TFRecord, Parquet, the tf.data loader."""
