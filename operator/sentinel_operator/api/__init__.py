"""The contract: every kind's fields, the conditions, the files handed to the pods. Imports pydantic only."""
