/* The running boot: what was true of unsynced files and of the kernel's settings is not believed after another one. */
#pragma once

/* The kernel's id of this boot; "" when it does not tell: then nothing that depends on it is believed. */
const char *boot_id(void);
