"""The host: processors, memory, disks, network, and the pods' share of them."""
