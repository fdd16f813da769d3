#include "sandbox/boot.h"

#include <pthread.h>
#include <string.h>

#include "base/fs.h"

#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"

static char running[64];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_id(void)
{
	AUTO(strbuf) text = STRBUF_INIT;

	if (fs_read_file(BOOT_ID_FILE, &text, sizeof(running) - 1, NULL) == 0) {
		strbuf_trim(&text);
		memcpy(running, text.buf, text.len + 1);
	}
}

const char *boot_id(void)
{
	pthread_once(&once, read_id);
	return running;
}
