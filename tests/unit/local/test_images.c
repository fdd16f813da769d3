#include "local/images.h"

#include "oci/repository.h"
#include "tests/unit/oci/image_fixture.h"

#define REGISTRY "127.0.0.1:4599"
#define ECR      "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
/* What ECS prints behind "CannotPullContainerError: ". */
#define NOT_FOUND(name)                                                                         \
	"pull image manifest has been retried 1 time(s): failed to resolve ref " name ": " name \
	": not found"

static struct images images_of(struct fixture *f)
{
	return (struct images){.store = f->store, .registry = REGISTRY};
}

static void show(struct fixture *f, const char *repository, const char *tag_name,
		 const struct descriptor *d)
{
	assert_ok(f, repository_make(f->store, repository, &f->err));
	assert_ok(f, repository_link_manifest(f->store, repository, &d->digest, d->media_type,
					      &f->err));
	if (tag_name)
		assert_ok(f, repository_tag(f->store, repository, tag_name, &d->digest, &f->err));
}

static void assert_finds(struct fixture *f, const struct images *i, const char *name,
			 const struct digest *wanted)
{
	AUTO_PTR(image) image = NULL;
	AUTO_FREE char *digest = NULL;

	assert_ok(f, images_find(i, name, NULL, NULL, &image, &digest, &f->err));
	assert_string_equal(digest, wanted->text);
	assert_string_equal(image->descriptor.digest.text, wanted->text);
}

static void assert_no_image(struct fixture *f, const struct images *i, const char *name,
			    const char *message)
{
	struct image *image = NULL;
	char *digest = NULL;

	assert_fails(f, ERROR_NOT_FOUND, message,
		     images_find(i, name, NULL, NULL, &image, &digest, &f->err));
	assert_null(image);
	assert_null(digest);
}

static void test_names_of_the_local_registry(void **state)
{
	struct fixture *f = *state;
	struct images i = images_of(f);
	static const struct {
		const char *name, *repository;
	} rows[] = {
		{"127.0.0.1:4599/app", "app"},
		{"127.0.0.1:4599/team/app:v1", "team/app"},
		{"localhost:4599/app:v1", "app"},
		{ECR "/team/app:v1", "team/app"},
		{"999999999999.dkr.ecr.us-east-1.amazonaws.com/app@sha256:"
		 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		 "app"},
		{"app", NULL},
		{"127.0.0.1:5000/app", NULL},
		{"127.64.0.2:4599/app", NULL},
		{"localhost:45990/app", NULL},
		{"docker.io/library/app", NULL},
		{"public.ecr.aws/docker/library/debian", NULL},
		{"Not A Name", NULL},
	};

	for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
		AUTO_FREE char *got = images_repository(&i, rows[k].name);

		if (rows[k].repository)
			assert_string_equal(got, rows[k].repository);
		else
			assert_null(got);
	}
}

static void test_pushed_images(void **state)
{
	struct fixture *f = *state;
	struct images i = images_of(f);
	AUTO_PTR(image) one = make_image(f, "one", 1);
	AUTO_PTR(image) two = make_image(f, "two", 2);
	AUTO_FREE char *by_digest = xstrfmt(REGISTRY "/app@%s", two->descriptor.digest.text);
	AUTO_FREE char *elsewhere = xstrfmt(REGISTRY "/other@%s", two->descriptor.digest.text);

	show(f, "app", "latest", &one->descriptor);
	show(f, "app", NULL, &two->descriptor);
	show(f, "other", NULL, &one->descriptor);
	assert_finds(f, &i, REGISTRY "/app", &one->descriptor.digest);
	assert_finds(f, &i, "localhost:4599/app:latest", &one->descriptor.digest);
	assert_finds(f, &i, ECR "/app", &one->descriptor.digest);
	assert_finds(f, &i, by_digest, &two->descriptor.digest);
	assert_no_image(f, &i, elsewhere, "not found");
	assert_no_image(f, &i, REGISTRY "/app:v9", NOT_FOUND(REGISTRY "/app:v9"));
	assert_no_image(f, &i, ECR "/nothing:v1", NOT_FOUND(ECR "/nothing:v1"));
	/* Named so in the store, but never pushed. */
	tag(f, REGISTRY "/unpushed:v1", &one->descriptor);
	assert_no_image(f, &i, REGISTRY "/unpushed:v1", NOT_FOUND(REGISTRY "/unpushed:v1"));
}

static void test_platforms(void **state)
{
	static const char *const words[] = {"amd64", "arm64"};
	struct fixture *f = *state;
	struct images i = images_of(f);
	AUTO_PTR(image) one = make_image(f, "one", 1);
	AUTO_PTR(image) two = make_image(f, "two", 1);
	struct image *both[] = {one, two}, *image = NULL;
	AUTO(platform) arm = {0};
	AUTO(platform) s390x = {0};
	AUTO(descriptor) index = {0};
	AUTO_FREE char *digest = NULL;
	char *none = NULL;

	assert_ok(f, platform_parse(&arm, "linux/arm64", &f->err));
	assert_ok(f, platform_parse(&s390x, "linux/s390x", &f->err));
	free(two->config.platform.arch);
	two->config.platform.arch = xstrdup("arm64");
	assert_ok(f, image_save(two, f->store, &f->err));
	make_index(f, both, words, 2, &index);
	show(f, "app", "both", &index);
	assert_ok(f, images_find(&i, REGISTRY "/app:both", &arm, NULL, &image, &digest, &f->err));
	assert_string_equal(digest, index.digest.text);
	assert_string_equal(image->descriptor.digest.text, two->descriptor.digest.text);
	image_free(image);
	image = NULL;
	assert_fails(f, ERROR_UNSUPPORTED,
		     "image Manifest does not contain descriptor matching platform 'linux/s390x'",
		     images_find(&i, REGISTRY "/app:both", &s390x, NULL, &image, &none, &f->err));
	/* An image alone says its platform in its config. */
	show(f, "app", "arm", &two->descriptor);
	assert_fails(f, ERROR_UNSUPPORTED,
		     "image Manifest does not contain descriptor matching platform 'linux/s390x'",
		     images_find(&i, REGISTRY "/app:arm", &s390x, NULL, &image, &none, &f->err));
}

struct puller {
	struct image *gives;
	int calls;
	enum error_kind fails;
};

static int pull(void *arg, const char *name, const struct platform *platform,
		const struct cancel *cancel, struct image **out, struct error *err)
{
	struct puller *p = arg;

	assert_null(cancel);
	assert_string_equal(platform->os, "linux");
	p->calls++;
	if (p->fails)
		return error_set(err, p->fails, "GET %s: why", name);
	*out = take_ptr(p->gives);
	return 0;
}

static void test_other_images(void **state)
{
	struct fixture *f = *state;
	struct images i = images_of(f);
	AUTO_PTR(image) built = make_image(f, "built", 1);
	AUTO_PTR(image) partial = make_image(f, "partial", 1);
	struct image *pulled = make_image(f, "pulled", 1);
	struct digest d = pulled->descriptor.digest;
	struct puller p = {.gives = pulled};

	tag(f, "app", &built->descriptor);
	assert_finds(f, &i, "app", &built->descriptor.digest);
	assert_no_image(f, &i, "elsewhere:v1", NOT_FOUND("elsewhere:v1"));
	i.pull = pull;
	i.arg = &p;
	assert_finds(f, &i, "app", &built->descriptor.digest);
	assert_int_equal(p.calls, 0);
	assert_finds(f, &i, "elsewhere:v1", &d);
	assert_int_equal(p.calls, 1);
	p.fails = ERROR_NOT_FOUND;
	assert_no_image(f, &i, "elsewhere:v1", NOT_FOUND("elsewhere:v1"));
	p.fails = ERROR_NETWORK;
	assert_fails(f, ERROR_NETWORK, "failed to resolve ref elsewhere:v1: GET elsewhere:v1: why",
		     images_find(&i, "elsewhere:v1", NULL, NULL, &pulled, NULL, &f->err));
	/* A layer of its base is elsewhere. */
	p = (struct puller){.gives = make_image(f, "partial", 1)};
	tag(f, "partial", &partial->descriptor);
	assert_ok(f, store_delete_blob(f->store, &partial->manifest.layers[0].digest, &f->err));
	assert_finds(f, &i, "partial", &partial->descriptor.digest);
	assert_int_equal(p.calls, 1);
	/* What is pushed to the local registry is never asked of another. */
	assert_no_image(f, &i, ECR "/app", NOT_FOUND(ECR "/app"));
	assert_int_equal(p.calls, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_names_of_the_local_registry),
		store_test(test_pushed_images),
		store_test(test_platforms),
		store_test(test_other_images),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
