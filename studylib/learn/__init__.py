"""Learned reconstruction: PtychoPINN and the Baseline on Keras 3 (torch or TensorFlow), and Unrolled on torch."""
