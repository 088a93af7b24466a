"""Judgements by content and detector, kept across jobs: what was judged once is not judged again."""
