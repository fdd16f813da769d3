#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sandbox/network_files.h"

static void drops_name_servers_on_the_loopback(void **state)
{
	static const struct {
		const char *text, *kept, *nameserver;
	} rows[] = {
		{"nameserver 127.0.0.53\noptions edns0\nsearch example.org\n",
		 "options edns0\nsearch example.org\n", NULL},
		{"nameserver 10.0.0.1\nnameserver\t127.0.0.1\nnameserver 1.2.3.4",
		 "nameserver 10.0.0.1\nnameserver 1.2.3.4\n", NULL},
		{"nameserver ::1\nnameserver fe80::1%eth0\n", "nameserver fe80::1%eth0\n", NULL},
		{"# nameserver 127.0.0.1\n", "# nameserver 127.0.0.1\n", NULL},
		{"nameserver 12.7.0.1\n", "nameserver 12.7.0.1\n", NULL},
		{"", "", NULL},
		{"nameserver 127.0.0.53\nsearch example.org\nnameserver 8.8.8.8\n",
		 "nameserver 10.0.2.3\nsearch example.org\n", "10.0.2.3"},
		{"", "nameserver 10.0.2.3\n", "10.0.2.3"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(strbuf) out = STRBUF_INIT;

		resolv_conf_filter(rows[i].text, rows[i].nameserver, &out);
		assert_string_equal(out.buf, rows[i].kept);
	}
}

static void writes_hosts(void **state)
{
	AUTO(network_files) f = NETWORK_FILES_INIT;
	AUTO(strlist) hosts = STRLIST_INIT;
	struct sandbox_mount mounts[NETWORK_FILES_COUNT];

	(void)state;
	strlist_add(&hosts, "db:10.0.0.5");
	strlist_add(&hosts, "six:fd00::1");
	strlist_add(&hosts, "nonsense");
	network_files_make(&f, "box", &hosts, true, NULL);
	network_files_mounts(&f, mounts);
	assert_string_equal(f.hosts.buf,
			    "127.0.0.1\tlocalhost box\n::1\tlocalhost ip6-localhost ip6-loopback\n"
			    "10.0.0.5\tdb\nfd00::1\tsix\n");
	assert_string_equal(mounts[0].target, "/etc/hosts");
	assert_int_equal(mounts[0].data_len, f.hosts.len);
	assert_false(mounts[0].readonly); /* a step may write to them; nobody sees it later */
	assert_string_equal(mounts[2].target, "/etc/hostname");
	assert_memory_equal(mounts[2].data, "box\n", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drops_name_servers_on_the_loopback),
		cmocka_unit_test(writes_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
