"""Does the order of policies survive other users: user models by name, ranks, regrets, and what is concluded."""
