"""What is answered: the Open Inference Protocol and /v1/predict, over HTTP and gRPC."""
