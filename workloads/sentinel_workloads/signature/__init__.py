"""Sigstore bundles: what carries a signature, which keys and identities are accepted. All that verify or sign use it.

What verifies keyless signatures takes a second to import: it is imported where it is needed.
"""
