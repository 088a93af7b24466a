"""Several revisions in one process: loaded beside each other, compared, and swapped without a request lost."""
