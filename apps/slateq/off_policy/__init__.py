"""What a policy would have earned on somebody's logs: distributions over slates, estimators, intervals, warnings.

Nothing here needs TensorFlow, a simulator or `apps.slateq.logs.record`, unless a policy that is evaluated does.
"""
