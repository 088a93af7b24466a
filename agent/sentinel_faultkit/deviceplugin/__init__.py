"""A device plugin that gives the fake GPUs to a kubelet, as NVIDIA's gives real ones."""
