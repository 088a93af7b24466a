"""Puts the results of a scan together: a report for programs, a page for people, a bill of materials, a signature."""
