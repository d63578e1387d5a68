/* Making a backup; see backup_make.h. */
#include "daemon/migrate/backup_make.h"

#include <stdio.h>
#include <unistd.h>

#include "daemon/lib/clock.h"
#include "daemon/lib/fault.h"
#include "daemon/lib/log.h"
#include "daemon/migrate/backup_settle.h"
#include "daemon/store/backup.h"

/* Names of one second that are tried. */
#define TRIES 1000

static int choose_name(const struct backup_wish *wish, const char *owner, char ret[BACKUP_NAME_MAX + 1],
		       struct error *err)
{
	if (wish->name && (backup_name_check(wish->name, err) != 0))
		return -1;
	if (wish->name && backup_name_owner(wish->name))
		return error_set(err, ERRC_INVALID_PARAMS,
				 "%.128s is a name that only the backups before a run of migrations have", wish->name);
	if (wish->name && backup_exists(wish->folder, wish->name))
		return error_set(err, ERRC_INVALID_PARAMS, "there is a backup %.128s already", wish->name);
	if (wish->name) {
		snprintf(ret, BACKUP_NAME_MAX + 1, "%s", wish->name);
		return 0;
	}
	int64_t now = clock_wall_ms();
	for (int nth = 0; nth < TRIES; nth++) {
		backup_name_make(wish->before ? owner : NULL, wish->version, now, nth, ret);
		if (!backup_exists(wish->folder, ret))
			return 0;
	}
	return error_set(err, ERRC_INTERNAL, "no name is left for the backup");
}

static int settle(void *arg, sqlite3 *copy, struct error *err) { return backup_settle(copy, arg, err); }

static int fill(const struct backup_wish *wish, int fd, struct backup_made *made, struct error *err)
{
	struct buf part = {0};

	backup_part_path(wish->folder, made->name, &part);
	struct backup_order order = {.store = wish->store,
				     .to = buf_cstr(&part),
				     .fd = fd,
				     .reserve = store_get_config(wish->store)->disk_reserve_bytes,
				     .full_check = wish->full_check,
				     .settle = settle,
				     .arg = &made->version,
				     .stop = wish->stop,
				     .permille = wish->permille};
	int rc = backup_copy(&order, &made->bytes, err);
	(void)FAULT("backup-made");
	if (rc == 0)
		rc = backup_part_publish(wish->folder, made->name, err);
	if (rc != 0)
		backup_part_remove(wish->folder, made->name);
	buf_free(&part);
	return rc;
}

int backup_make(const struct backup_wish *wish, struct backup_made *ret, struct error *err)
{
	struct backup_made made = {0};
	uint64_t begun = clock_now_ns();
	char owner[BACKUP_OWNER_MAX + 1];
	int fd = -1;

	backup_owner(store_get_config(wish->store)->path, owner);
	if (choose_name(wish, owner, made.name, err) != 0 || backup_folder_make(wish->folder, err) != 0 ||
	    backup_part_make(wish->folder, made.name, &fd, err) != 0)
		return -1;
	int rc = fill(wish, fd, &made, err);
	close(fd);
	if (rc != 0)
		return -1;
	made.ms = (double)(clock_now_ns() - begun) / 1e6;
	log_event(LOG_LEVEL_INFO, "backup", LOG_FIELDS(.event = LOG_EVENT_BACKUP_MADE),
		  "%s/%s is made: %lld bytes, version %lld, %.0f ms", wish->folder, made.name, (long long)made.bytes,
		  (long long)made.version, made.ms);
	if (wish->before)
		backup_prune(wish->folder, owner, wish->keep);
	*ret = made;
	return 0;
}
