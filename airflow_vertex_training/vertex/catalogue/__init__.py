"""The error catalogue: how each kind of failure is recognised, what it means, and what to do about it.

``docs/errors.md`` is made of it. Adding a kind of failure touches one entry, and perhaps a class of
``exceptions``.
"""
