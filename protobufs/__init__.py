"""Python from the .proto files of the repository."""
