"""SentryModel: a model served by revisions, each verified by its own pods."""
