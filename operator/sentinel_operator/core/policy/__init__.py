"""Whether a change may be made: rules over what the operator itself has measured and the API server has verified."""
