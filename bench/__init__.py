"""Times fastnn against other libraries and against the machine's limits. See README.md here."""
