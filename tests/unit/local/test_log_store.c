#include "local/log_store.h"

#include <pthread.h>
#include <sys/resource.h>

#include "base/limits.h"
#include "tests/unit/base/scratch.h"

#define WRITERS      4
#define EACH         500
#define MANY         1000000
#define MANY_A_BATCH 1000

static char folder[80];

static struct log_store *open_store(void)
{
	struct log_store *l = NULL;

	snprintf(folder, sizeof(folder), "%s/logs", scratch_path);
	assert_ok(log_store_open(&l, folder, err));
	return l;
}

static struct log_store *open_fresh(void)
{
	snprintf(folder, sizeof(folder), "%s/logs", scratch_path);
	assert_ok(fs_remove_tree(AT_FDCWD, folder, err));
	return open_store();
}

static void say(struct log_store *l, const char *stream, int64_t time_ms, const char *text)
{
	struct log_event e = {
		.time_ms = time_ms, .came_ms = time_ms + 5, .text = text, .len = strlen(text)};

	assert_ok(log_store_append(l, "/ecs/app", stream, &e, 1, err));
}

struct heard {
	struct strbuf text; /* "TIME:TEXT|" */
	int64_t first, last, next;
	size_t n, most;
};

static int hear(void *arg, const struct log_event *e, struct error *err)
{
	struct heard *h = arg;

	(void)err;
	assert_int_equal(e->came_ms, e->time_ms + 5);
	if (h->n++ == 0)
		h->first = e->position;
	h->last = e->position;
	h->next = e->next;
	strbuf_printf(&h->text, "%lld:%.*s|", (long long)e->time_ms, (int)e->len, e->text);
	return h->most && h->n == h->most ? 7 : 0;
}

static void assert_heard(struct log_store *l, const char *stream, int64_t position,
			 const char *wanted)
{
	struct heard h = {.text = STRBUF_INIT};

	assert_ok(log_store_read(l, "/ecs/app", stream, position, hear, &h, err));
	assert_string_equal(h.text.buf, wanted);
	strbuf_release(&h.text);
}

static void test_reads_what_was_written(void **state)
{
	AUTO_PTR(log_store) l = open_fresh();
	AUTO(strlist) names = STRLIST_INIT;
	struct heard h = {.text = STRBUF_INIT, .most = 2};

	(void)state;
	say(l, "b", 10, "one");
	say(l, "b", 30, "");
	say(l, "b", 20, "three");
	say(l, "a", 1, "other");
	assert_heard(l, "b", 0, "10:one|30:|20:three|");
	assert_heard(l, "a", 0, "1:other|");
	assert_int_equal(log_store_read(l, "/ecs/app", "b", 0, hear, &h, NULL), 7);
	assert_heard(l, "b", h.next, "20:three|");
	assert_heard(l, "b", h.last, "30:|20:three|");
	strbuf_reset(&h.text);
	h.n = 0;
	assert_int_equal(log_store_read_back(l, "/ecs/app", "b", INT64_MAX, hear, &h, NULL), 7);
	assert_string_equal(h.text.buf, "20:three|30:|");
	strbuf_release(&h.text);
	assert_ok(log_store_streams(l, "/ecs/app", &names, err));
	assert_int_equal(names.n, 2);
	assert_string_equal(names.items[0], "a");
	assert_string_equal(names.items[1], "b");
	assert_error(log_store_read(l, "/ecs/app", "c", 0, hear, &h, err), ERROR_NOT_FOUND,
		     "no log stream \"c\" in \"/ecs/app\"");
	assert_error(log_store_read(l, "/ecs/app", "b", 3, hear, &h, err), ERROR_CORRUPT,
		     "no log event");
}

static int keep_facts(void *arg, const struct log_stream_facts *f, struct error *err)
{
	struct log_stream_facts *out = arg;

	(void)err;
	*out = *f;
	out->name = NULL;
	return 0;
}

static void test_facts_and_positions_outlive_the_process(void **state)
{
	struct log_store *l = open_fresh();
	struct log_stream_facts before, after;
	struct heard h = {.text = STRBUF_INIT}, again = {.text = STRBUF_INIT};
	bool made;

	(void)state;
	assert_ok(log_store_make_stream(l, "/ecs/app", "s", &made, err));
	assert_true(made);
	assert_ok(log_store_make_stream(l, "/ecs/app", "s", &made, err));
	assert_false(made);
	say(l, "s", 50, "late");
	say(l, "s", 40, "early");
	assert_ok(log_store_read(l, "/ecs/app", "s", 0, hear, &h, err));
	assert_ok(log_store_each_stream(l, "/ecs/app", keep_facts, &before, err));
	assert_int_equal(before.first_ms, 40);
	assert_int_equal(before.last_ms, 50);
	assert_int_equal(before.came_ms, 45);
	assert_int_equal(before.n_events, 2);
	log_store_free(l);
	l = open_store();
	assert_true(log_store_has(l, "/ecs/app", "s"));
	assert_ok(log_store_each_stream(l, "/ecs/app", keep_facts, &after, err));
	assert_memory_equal(&before, &after, sizeof(before));
	assert_int_equal(log_store_group_bytes(l, "/ecs/app"), after.bytes);
	assert_ok(log_store_read(l, "/ecs/app", "s", 0, hear, &again, err));
	assert_int_equal(h.first, again.first);
	assert_int_equal(h.last, again.last);
	assert_int_equal(h.next, again.next);
	say(l, "s", 60, "third");
	assert_heard(l, "s", h.next, "60:third|");
	strbuf_release(&h.text);
	strbuf_release(&again.text);
	log_store_free(l);
}

struct writer {
	struct log_store *store;
	int number;
};

static void *write_many(void *arg)
{
	struct writer *w = arg;

	for (int i = 0; i < EACH; i++) {
		AUTO_FREE char *text = xstrfmt("%d %d", w->number, i);

		say(w->store, i % 2 ? "odd" : "even", i, text);
	}
	return NULL;
}

struct order {
	int next[WRITERS];
	int n;
};

static int check_order(void *arg, const struct log_event *e, struct error *err)
{
	struct order *o = arg;
	AUTO_FREE char *text = xstrndup(e->text, e->len);
	int writer, i;

	(void)err;
	assert_int_equal(sscanf(text, "%d %d", &writer, &i), 2);
	assert_int_equal(i, o->next[writer]);
	o->next[writer] += 2;
	o->n++;
	return 0;
}

static void test_writers_at_once(void **state)
{
	AUTO_PTR(log_store) l = open_fresh();
	struct writer writers[WRITERS];
	pthread_t threads[WRITERS];
	struct order even = {.n = 0}, odd = {.next = {1, 1, 1, 1}};

	(void)state;
	for (int i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){l, i};
		assert_int_equal(pthread_create(&threads[i], NULL, write_many, &writers[i]), 0);
	}
	/* Who reads meanwhile sees whole events. */
	for (int i = 0; i < 20; i++) {
		struct order now = {.n = 0};

		log_store_read(l, "/ecs/app", "even", 0, check_order, &now, NULL);
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	assert_ok(log_store_read(l, "/ecs/app", "even", 0, check_order, &even, err));
	assert_ok(log_store_read(l, "/ecs/app", "odd", 0, check_order, &odd, err));
	assert_int_equal(even.n, WRITERS * EACH / 2);
	assert_int_equal(odd.n, WRITERS * EACH / 2);
}

static int find_file(void *arg, int dirfd, const char *entry, const struct stat *st,
		     struct error *err)
{
	char *path = arg;

	if (S_ISDIR(st->st_mode)) {
		snprintf(path + strlen(path), 100, "/%s", entry);
		return fs_each_entry(dirfd, entry, find_file, arg, err);
	}
	snprintf(path + strlen(path), 100, "/%s", entry);
	return 0;
}

/* The only file below the folder. */
static void only_file(char path[400])
{
	snprintf(path, 100, "%s", folder);
	assert_ok(fs_each_entry(AT_FDCWD, folder, find_file, path, err));
}

static void test_what_a_crash_cut_off(void **state)
{
	struct log_store *l = open_fresh();
	struct heard h = {.text = STRBUF_INIT};
	char path[400];
	struct stat st;

	(void)state;
	say(l, "s", 1, "whole");
	assert_ok(log_store_read(l, "/ecs/app", "s", 0, hear, &h, err));
	say(l, "s", 2, "torn");
	log_store_free(l);
	only_file(path);
	assert_int_equal(stat(path, &st), 0);
	int64_t end = st.st_size, second = end - (24 + 4 + 4);

	strbuf_release(&h.text);
	for (int64_t size = end - 1; size >= second; size--) {
		assert_int_equal(truncate(path, (off_t)size), 0);
		l = open_store();
		assert_heard(l, "s", 0, "1:whole|");
		say(l, "s", 3, "next");
		assert_heard(l, "s", h.next, "3:next|");
		log_store_free(l);
		/* As if it had been torn again, now later. */
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_size, end);
	}
}

static void test_blocks_that_never_reached_the_disk(void **state)
{
	struct log_store *l = open_fresh();
	char path[400], zeros[40] = {0};
	AUTO_FD int fd = -1;
	struct stat st;

	(void)state;
	say(l, "s", 1, "whole");
	say(l, "s", 2, "a text whose end is lost");
	log_store_free(l);
	only_file(path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(pwrite(fd, zeros, 6, st.st_size - 10), 6);
	l = open_store();
	assert_heard(l, "s", 0, "1:whole|");
	say(l, "s", 3, "next");
	assert_heard(l, "s", 0, "1:whole|3:next|");
	log_store_free(l);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(pwrite(fd, zeros, 40, st.st_size), 40);
	l = open_store();
	assert_heard(l, "s", 0, "1:whole|3:next|");
	log_store_free(l);
	/* Half a head: the file was never one of ours. */
	assert_int_equal(ftruncate(fd, 11), 0);
	assert_error(log_store_open(&l, folder, err), ERROR_CORRUPT, "not the file of a log");
}

static void test_long_texts_are_cut_between_letters(void **state)
{
	AUTO_PTR(log_store) l = open_fresh();
	AUTO_FREE char *text = xmalloc(LIMIT_LOG_EVENT + 10);
	struct log_event e = {.time_ms = 1, .came_ms = 6, .text = text, .len = LIMIT_LOG_EVENT + 2};
	struct heard h = {.text = STRBUF_INIT};

	(void)state;
	memset(text, 'x', LIMIT_LOG_EVENT + 10);
	/* An e with acute: its second byte would be the first beyond the limit. */
	text[LIMIT_LOG_EVENT - 1] = (char)0xc3;
	text[LIMIT_LOG_EVENT] = (char)0xa9;
	assert_ok(log_store_append(l, "/ecs/app", "s", &e, 1, err));
	assert_ok(log_store_read(l, "/ecs/app", "s", 0, hear, &h, err));
	assert_int_equal(h.text.len, 2 + LIMIT_LOG_EVENT - 1 + 1);
	strbuf_release(&h.text);
}

static void test_removing_and_expiring(void **state)
{
	AUTO_PTR(log_store) l = open_fresh();
	struct heard h = {.text = STRBUF_INIT}, kept = {.text = STRBUF_INIT};
	AUTO(strlist) names = STRLIST_INIT;

	(void)state;
	say(l, "s", 1, "old");
	say(l, "s", 2, "old too");
	say(l, "s", 10, "new");
	say(l, "s", 3, "came late");
	say(l, "t", 1, "all are old");
	assert_ok(log_store_read(l, "/ecs/app", "s", 0, hear, &h, err));
	assert_ok(log_store_expire(l, "/ecs/app", 5, err));
	assert_heard(l, "s", 0, "10:new|3:came late|");
	assert_heard(l, "t", 0, "");
	assert_ok(log_store_read(l, "/ecs/app", "s", 0, hear, &kept, err));
	assert_int_equal(kept.last, h.last);
	assert_int_equal(kept.next, h.next);
	log_store_free(l);
	l = open_store();
	assert_heard(l, "s", h.last, "3:came late|");
	assert_heard(l, "s", 0, "10:new|3:came late|");
	say(l, "t", 11, "goes on");
	assert_heard(l, "t", 0, "11:goes on|");
	assert_ok(log_store_remove_stream(l, "/ecs/app", "t", err));
	assert_false(log_store_has(l, "/ecs/app", "t"));
	assert_error(log_store_remove_stream(l, "/ecs/app", "t", err), ERROR_NOT_FOUND, "\"t\"");
	assert_ok(log_store_remove_group(l, "/ecs/app", err));
	assert_ok(log_store_remove_group(l, "/ecs/app", err));
	log_store_free(l);
	l = open_store();
	assert_ok(log_store_streams(l, "/ecs/app", &names, err));
	assert_int_equal(names.n, 0);
	strbuf_release(&h.text);
	strbuf_release(&kept.text);
}

static int count_event(void *arg, const struct log_event *e, struct error *err)
{
	int64_t *n = arg;

	(void)err;
	assert_int_equal(e->time_ms, *n);
	++*n;
	return 0;
}

static int count_back(void *arg, const struct log_event *e, struct error *err)
{
	int64_t *n = arg;

	(void)err;
	--*n;
	assert_int_equal(e->time_ms, *n);
	return *n == MANY - 10000 ? 1 : 0;
}

static int64_t peak_kib(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

static void test_a_million_events_in_fixed_memory(void **state)
{
	AUTO_PTR(log_store) l = open_fresh();
	static struct log_event events[MANY_A_BATCH];
	int64_t n = 0, back = MANY, before;

	(void)state;
	before = peak_kib();
	for (int i = 0; i < MANY / MANY_A_BATCH; i++) {
		for (int k = 0; k < MANY_A_BATCH; k++)
			events[k] = (struct log_event){.time_ms = i * MANY_A_BATCH + k,
						       .text = "GET / 200 in a few milliseconds",
						       .len = 31};
		assert_ok(log_store_append(l, "/ecs/app", "s", events, MANY_A_BATCH, err));
	}
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	/* The sanitizer keeps what the batches have freed. */
	before = peak_kib();
#endif
	log_store_free(l);
	l = open_store();
	assert_ok(log_store_read(l, "/ecs/app", "s", 0, count_event, &n, err));
	assert_int_equal(n, MANY);
	assert_int_equal(
		log_store_read_back(l, "/ecs/app", "s", INT64_MAX, count_back, &back, NULL), 1);
	/* The file has 60 MB. */
	assert_true(peak_kib() - before < 16 << 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_million_events_in_fixed_memory),
		cmocka_unit_test(test_reads_what_was_written),
		cmocka_unit_test(test_facts_and_positions_outlive_the_process),
		cmocka_unit_test(test_writers_at_once),
		cmocka_unit_test(test_what_a_crash_cut_off),
		cmocka_unit_test(test_blocks_that_never_reached_the_disk),
		cmocka_unit_test(test_long_texts_are_cut_between_letters),
		cmocka_unit_test(test_removing_and_expiring),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
