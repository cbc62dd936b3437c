"""TensorFlow as training wants it: one thread, equal runs give equal bits, and no chatter from what it imports."""

import logging
import warnings

HARMLESS = (  # what saving a policy says: slates have no distribution, and names of arguments hold a "/"
    "Could not serialize policy.distribution()",
    "is not a valid tf.function parameter name",
)


def one_deterministic_thread() -> None:
    """Small networks are faster on one thread; operations give equal results in equal runs. Once in a process."""
    _quiet()
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:  # TensorFlow has computed something already: it keeps its threads
        pass
    tf.config.experimental.enable_op_determinism()
    # TF-Agents builds networks by calling them on random numbers, which then need a seed; ours come from elsewhere.
    tf.random.set_seed(0)


def _quiet() -> None:
    """TF-Agents' source makes Python warn about `is ()`, and the gym that it imports advertises its successor."""
    from absl import logging as absl_logging

    warnings.filterwarnings("ignore", category=SyntaxWarning)
    absl_logging.get_absl_logger().addFilter(_worth_saying)
    try:
        from gym_notices import notices
    except ImportError:
        return
    notices.notices.clear()


def _worth_saying(record: logging.LogRecord) -> bool:
    """Whether a message that TensorFlow and TF-Agents log through absl is none of the HARMLESS ones."""
    message = record.getMessage()
    return not any(text in message for text in HARMLESS)
