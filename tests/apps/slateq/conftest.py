"""Imported before any test here imports TensorFlow, so that TF-Agents finds the Keras it needs."""

import apps.slateq  # noqa: F401
