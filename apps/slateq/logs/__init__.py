"""Logs of slates as Parquet files: what is in one, and how it is written, imported, checked and read.

`lmgt slateq log` writes one from a simulated world, `lmgt slateq import` makes one of anybody's Parquet file, and
`apps/slateq/off_policy` reads it. One row is one slate; the rows of a session follow each other.
"""
