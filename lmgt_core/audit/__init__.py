"""Whether a judge deserves to be heard: probes, precision, the gate."""
