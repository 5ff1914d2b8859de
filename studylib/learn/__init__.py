"""The two networks: one Keras 3 definition for torch and TensorFlow."""
