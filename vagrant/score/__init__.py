"""The guest that keeps score, seen from outside: recorder, audit and judge. README.md says what is promised."""
