/* Signals by their names. */
#pragma once

/* Of "SIGTERM", "TERM" or "15", in any case; -1: there is none. */
int signal_number(const char *name);
