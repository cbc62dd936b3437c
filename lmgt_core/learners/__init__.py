"""What stands between Stable-Baselines3's learners and a shift (call `import_stable_baselines3` first)."""
