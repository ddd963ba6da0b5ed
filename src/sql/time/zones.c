/*
 * zones.c - the abbreviations of zones that texts may use, as PostgreSQL's "Default"
 * set has them, each with one meaning; and the sets of zones by name.
 */
#include "base/mem.h"
#include "sql/time/zone_history.h"

#include <errno.h>
#include <stdio.h>

struct abbreviation {
    char name[7];
    int8_t quarters; /* of an hour, east of UTC */
    bool daylight;
};

static const struct abbreviation abbreviations[] = {
    {"acdt", 42, true},   {"acsst", 42, true},  {"acst", 38, false},  {"act", -20, false},
    {"acwst", 35, false}, {"adt", -12, true},   {"aedt", 44, true},   {"aesst", 44, true},
    {"aest", 40, false},  {"aft", 18, false},   {"akdt", -32, true},  {"akst", -36, false},
    {"almst", 28, true},  {"almt", 24, false},  {"amst", 16, false},  {"amt", -16, false},
    {"anast", 48, false}, {"anat", 48, false},  {"arst", -12, false}, {"art", -12, false},
    {"ast", -16, false},  {"awsst", 36, true},  {"awst", 32, false},  {"azost", 0, true},
    {"azot", -4, false},  {"azst", 16, false},  {"azt", 16, false},   {"bdst", 8, true},
    {"bdt", 24, false},   {"bnt", 32, false},   {"bort", 32, false},  {"bot", -16, false},
    {"bra", -12, false},  {"brst", -8, true},   {"brt", -12, false},  {"bst", 4, true},
    {"btt", 24, false},   {"cadt", 42, true},   {"cast", 38, false},  {"cct", 32, false},
    {"cdt", -20, true},   {"cest", 8, true},    {"cet", 4, false},    {"cetdst", 8, true},
    {"chadt", 55, true},  {"chast", 51, false}, {"chut", 40, false},  {"ckt", -40, false},
    {"clst", -12, true},  {"clt", -12, true},   {"cot", -20, false},  {"cst", -24, false},
    {"cxt", 28, false},   {"davt", 28, false},  {"ddut", 40, false},  {"easst", -20, true},
    {"east", -20, true},  {"eat", 12, false},   {"edt", -16, true},   {"eest", 12, true},
    {"eet", 8, false},    {"eetdst", 12, true}, {"egst", 0, true},    {"egt", -4, false},
    {"est", -20, false},  {"fet", 12, false},   {"fjst", 52, true},   {"fjt", 48, false},
    {"fkst", -12, false}, {"fkt", -12, false},  {"fnst", -4, true},   {"fnt", -8, false},
    {"galt", -24, false}, {"gamt", -36, false}, {"gest", 16, false},  {"get", 16, false},
    {"gft", -12, false},  {"gilt", 48, false},  {"gmt", 0, false},    {"gyt", -16, false},
    {"hkt", 32, false},   {"hst", -40, false},  {"ict", 28, false},   {"idt", 12, true},
    {"iot", 24, false},   {"irkst", 32, false}, {"irkt", 32, false},  {"irt", 14, false},
    {"ist", 8, false},    {"jayt", 36, false},  {"jst", 36, false},   {"kdt", 40, true},
    {"kgst", 24, true},   {"kgt", 24, false},   {"kost", 44, false},  {"krast", 28, false},
    {"krat", 28, false},  {"kst", 36, false},   {"lhdt", 44, true},   {"lhst", 42, false},
    {"ligt", 40, false},  {"lint", 56, false},  {"lkt", 22, false},   {"magst", 44, false},
    {"magt", 44, false},  {"mart", -38, false}, {"mawt", 20, false},  {"mdt", -24, true},
    {"mest", 8, true},    {"mesz", 8, true},    {"met", 4, false},    {"metdst", 8, true},
    {"mez", 4, false},    {"mht", 48, false},   {"mmt", 26, false},   {"mpt", 40, false},
    {"msd", 16, true},    {"msk", 12, false},   {"mst", -28, false},  {"must", 20, true},
    {"mut", 16, false},   {"mvt", 20, false},   {"myt", 32, false},   {"ndt", -10, true},
    {"nft", -14, false},  {"novst", 28, false}, {"novt", 28, false},  {"npt", 23, false},
    {"nst", -14, false},  {"nut", -44, false},  {"nzdt", 52, true},   {"nzst", 48, false},
    {"nzt", 48, false},   {"omsst", 24, false}, {"omst", 24, false},  {"pdt", -28, true},
    {"pet", -20, false},  {"petst", 48, false}, {"pett", 48, false},  {"pgt", 40, false},
    {"pht", 32, false},   {"pkst", 24, true},   {"pkt", 20, false},   {"pmdt", -8, true},
    {"pmst", -12, false}, {"pont", 44, false},  {"pst", -32, false},  {"pwt", 36, false},
    {"pyst", -12, true},  {"pyt", -12, false},  {"ret", 16, false},   {"sadt", 42, true},
    {"sast", 8, false},   {"sct", 16, false},   {"sgt", 32, false},   {"taht", -40, false},
    {"tft", 20, false},   {"tjt", 20, false},   {"tkt", 52, false},   {"tmt", 20, false},
    {"tot", 52, false},   {"trut", 40, false},  {"tvt", 48, false},   {"uct", 0, false},
    {"ulast", 36, true},  {"ulat", 32, false},  {"ut", 0, false},     {"utc", 0, false},
    {"uyst", -8, true},   {"uyt", -12, false},  {"uzst", 24, true},   {"uzt", 20, false},
    {"vet", -16, false},  {"vlast", 40, false}, {"vlat", 40, false},  {"volt", 12, false},
    {"vut", 44, false},   {"wadt", 32, true},   {"wakt", 48, false},  {"wast", 28, false},
    {"wat", 4, false},    {"wdt", 36, true},    {"wet", 0, false},    {"wetdst", 4, true},
    {"wft", 48, false},   {"wgst", -8, true},   {"wgt", -12, false},  {"xjt", 24, false},
    {"yakst", 36, false}, {"yakt", 36, false},  {"yapt", 40, false},  {"yekst", 24, true},
    {"yekt", 20, false},  {"z", 0, false},      {"zulu", 0, false},
};

/* The order of names: ASCII letters without case. */
static int compare_nocase(slice a, slice b) {
    size_t shorter = a.len < b.len ? a.len : b.len;
    for (size_t i = 0; i < shorter; i++) {
        int x = (uint8_t)a.ptr[i], y = (uint8_t)b.ptr[i];
        x += x >= 'A' && x <= 'Z' ? 'a' - 'A' : 0;
        y += y >= 'A' && y <= 'Z' ? 'a' - 'A' : 0;
        if (x != y)
            return x - y;
    }
    return (a.len > b.len) - (a.len < b.len);
}

bool sql_zone_abbreviation(slice name, int32_t *ret_offset, bool *ret_daylight) {
    size_t low = 0, high = array_count(abbreviations);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct abbreviation *at = &abbreviations[middle];
        int order = compare_nocase(name, slice_str(at->name));
        if (order == 0) {
            *ret_offset = at->quarters * 900;
            *ret_daylight = at->daylight;
            return true;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

/* --- sets of zones ------------------------------------------------------------------------------
 */

struct sql_zones {
    unsigned count;
    struct sql_zone *zones[SQL_ZONES_MAX]; /* by name */
};

struct sql_zones *sql_zones_create(void) {
    return mem_zalloc(1, sizeof(struct sql_zones));
}

struct sql_zones *sql_zones_free(struct sql_zones *zones) {
    for (unsigned i = 0; zones && i < zones->count; i++) {
        sql_zone_history_free(zones->zones[i]->history);
        mem_free(zones->zones[i]);
    }
    return mem_free(zones);
}

/* Where NAME is, or where it would have to be put. */
static unsigned zones_place(const struct sql_zones *zones, slice name, bool *ret_found) {
    unsigned low = 0, high = zones->count;
    *ret_found = false;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        int order = compare_nocase(name, slice_str(zones->zones[middle]->name));
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

int sql_zone_load(struct sql_zones *zones, slice name, slice bytes) {
    bool found;
    unsigned place = zones_place(zones, name, &found);
    if (found)
        return -EEXIST;
    if (zones->count == SQL_ZONES_MAX || name.len > SQL_ZONE_NAME_MAX)
        return -ENOSPC;
    struct sql_zone *zone = mem_zalloc(1, sizeof *zone);
    if (!zone)
        return -ENOMEM;
    int failed = slice_to_string(name, zone->name, sizeof zone->name);
    if (failed == 0)
        failed = sql_zone_read(bytes, zone);
    if (failed) {
        mem_free(zone);
        return failed == -ENOMEM ? failed : -EBADMSG;
    }
    memmove(&zones->zones[place + 1], &zones->zones[place],
            (zones->count - place) * sizeof(struct sql_zone *));
    zones->zones[place] = zone;
    zones->count++;
    return 0;
}

const struct sql_zone *sql_zones_find(const struct sql_zones *zones, slice name) {
    bool found = false;
    unsigned place = zones ? zones_place(zones, name, &found) : 0;
    return found ? zones->zones[place] : NULL;
}

const struct sql_zone *sql_zones_at(const struct sql_zones *zones, unsigned index) {
    return zones && index < zones->count ? zones->zones[index] : NULL;
}

const struct sql_zone *sql_zone_named(const struct sql_zones *zones, slice name,
                                      struct sql_zone *scratch) {
    int32_t offset;
    bool daylight;
    if (sql_zone_abbreviation(name, &offset, &daylight)) {
        *scratch = sql_zone_fixed(offset);
        scratch->standard.daylight = daylight;
        int len = (int)(name.len < 15 ? name.len : 15);
        snprintf(scratch->standard.abbreviation, 16, "%.*s", len, name.ptr);
        for (char *at = scratch->standard.abbreviation; *at; at++)
            if (*at >= 'a' && *at <= 'z')
                *at = (char)(*at - 'a' + 'A');
        memcpy(scratch->name, scratch->standard.abbreviation, 16);
        return scratch;
    }
    const struct sql_zone *zone = sql_zones_find(zones, name);
    if (zone)
        return zone;
    return sql_zone_posix(name, scratch) == 0 ? scratch : NULL;
}
