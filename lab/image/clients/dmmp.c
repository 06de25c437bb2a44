/*
 * A program as others write it against libdmmp: prints every map with its groups
 * and paths, removes one, or has the configuration read again. What the library
 * answers is the exit code, 0 to 10; its own messages go to standard error.
 *
 *	dmmp show
 *	dmmp flush NAME
 *	dmmp reconfig
 */
#include <stdio.h>
#include <string.h>

#include <libdmmp/libdmmp.h>

enum { wait_ms = 30000, usage = 64 };

static void print_group(struct dmmp_path_group *group)
{
	struct dmmp_path **paths;
	uint32_t count;

	printf("  group %u status %s priority %u selector '%s'\n",
	       dmmp_path_group_id_get(group),
	       dmmp_path_group_status_str(dmmp_path_group_status_get(group)),
	       dmmp_path_group_priority_get(group),
	       dmmp_path_group_selector_get(group));
	dmmp_path_array_get(group, &paths, &count);
	for (uint32_t i = 0; i < count; i++)
		printf("    path %s status %s\n",
		       dmmp_path_blk_name_get(paths[i]),
		       dmmp_path_status_str(dmmp_path_status_get(paths[i])));
}

static int show(struct dmmp_context *ctx)
{
	struct dmmp_mpath **maps;
	uint32_t count;
	int rc = dmmp_mpath_array_get(ctx, &maps, &count);

	if (rc != DMMP_OK)
		return rc;
	for (uint32_t i = 0; i < count; i++) {
		struct dmmp_path_group **groups;
		uint32_t group_count;

		printf("map %s wwid %s device %s\n",
		       dmmp_mpath_name_get(maps[i]),
		       dmmp_mpath_wwid_get(maps[i]),
		       dmmp_mpath_kdev_name_get(maps[i]));
		dmmp_path_group_array_get(maps[i], &groups, &group_count);
		for (uint32_t j = 0; j < group_count; j++)
			print_group(groups[j]);
	}
	dmmp_mpath_array_free(maps, count);
	return rc;
}

int main(int argc, char **argv)
{
	struct dmmp_context *ctx = dmmp_context_new();
	int rc;

	if (ctx == NULL)
		return DMMP_ERR_NO_MEMORY;
	dmmp_context_timeout_set(ctx, wait_ms);
	if (argc == 2 && strcmp(argv[1], "show") == 0) {
		rc = show(ctx);
	} else if (argc == 3 && strcmp(argv[1], "flush") == 0) {
		rc = dmmp_flush_mpath(ctx, argv[2]);
	} else if (argc == 2 && strcmp(argv[1], "reconfig") == 0) {
		rc = dmmp_reconfig(ctx);
	} else {
		fprintf(stderr, "usage: dmmp show | flush NAME | reconfig\n");
		rc = usage;
	}
	if (rc != usage)
		printf("%s\n", dmmp_strerror(rc));
	dmmp_context_free(ctx);
	return rc;
}
