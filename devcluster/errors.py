"""What can be wrong with the machine or the cluster, in words for the person at the terminal."""


class DevclusterError(RuntimeError):
    """Something that the person has to know or to do; its text says what."""
