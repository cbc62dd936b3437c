"""TensorFlow as training wants it: one thread, equal runs give equal bits, and no chatter from what it imports."""

import warnings


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
    warnings.filterwarnings("ignore", category=SyntaxWarning)
    try:
        from gym_notices import notices
    except ImportError:
        return
    notices.notices.clear()
