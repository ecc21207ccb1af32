"""The vocabulary of the engine: numbers, events, commands, views. Imports nothing of ours."""
