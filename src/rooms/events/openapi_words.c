/*
 * openapi_words.c - see openapi_words.h.
 *
 * Docs are for readers of the API: sentences without a full stop, units and ranges where there are
 * some. Objects that the node reads are closed, as it refuses members that it does not know; those
 * that it writes are open, for they may get more.
 */
#include "rooms/events/openapi_words.h"

#include <stddef.h>

/* --- parameters --------------------------------------------------------------------------- */

const struct openapi_parameter openapi_parameters[] = {
    {"stream", "stream", "path", "string", "Name of an event stream, CATEGORY-ID", NULL},
    {"revision", "revision", "path", "integer", "Revision of an event in its stream, from 0", NULL},
    {"expect", "expect", "query", "string",
     "What the event stream must be like: any, none, exists, deleted, or the revision of its last "
     "event; for bodies that cannot say it",
     NULL},
    {"If-Match", "If-Match", "header", "string",
     "The entity tag that the resource must have (of an event stream its last revision in double "
     "quotes), or * where it must exist; else 412",
     NULL},
    {"If-None-Match", "If-None-Match", "header", "string",
     "*: there must be no such event stream; else 412", NULL},
    {"from", "from", "query", "integer",
     "Revision, or of all events position, of the first; backwards: of the newest", NULL},
    {"after", "after", "query", "integer", "The same, one behind it: what a checkpoint says", NULL},
    {"time", "time", "query", "time", "The first event whose commit was at or after it", NULL},
    {"from_position", "position", "query", "integer", "The first event at or after it", NULL},
    {"direction", "direction", "query", "string", "forwards unless said otherwise",
     "forwards backwards"},
    {"limit", "limit", "query", "integer", "Events of a page, 1 to 1000 (100)", NULL},
    {"types", "types", "query", "string", "With commas, at most 16: events of one of these types",
     NULL},
    {"tags", "tags", "query", "string", "With commas, at most 16: events with all of these tags",
     NULL},
    {"category", "category", "query", "string", "Events of event streams of this category only",
     NULL},
    {"min_position", "min_position", "query", "integer",
     "Not before the node has got so far; 504 after two seconds. With the position of your append: "
     "read your own writes",
     NULL},
    {"wait", "wait", "query", "string",
     "A duration of at most 60s (250ms, 30s): an empty page waits for events", NULL},
    {"follow", "follow", "query", "string",
     "1: the answer has no end; lines of JSON (application/x-ndjson), events and markers", NULL},
    {"mode", "mode", "query", "string",
     "binary: a CloudEvent in binary mode, attributes as ce- headers and the data as the body",
     "binary"},
    {"permanent", "permanent", "query", "string",
     "1: the event stream can never be appended to again", NULL},
    {"dry_run", "dry_run", "query", "string",
     "1: nothing is changed, the answer tells what would be", NULL},
    {"at", "at", "query", "string|integer",
     "The state after this revision, or after the last event at or before this time (RFC 3339)",
     NULL},
    {"position", "position", "query", "integer", "The state after the last event at or before it",
     NULL},
    {"actor", "actor", "query", "string", "What he, she or it did", NULL},
    {"correlation", "correlation", "query", "string", "What belongs together", NULL},
    {"stored_from", "from", "query", "time", "Stored at or after it", NULL},
    {"stored_to", "to", "query", "time", "Stored before it", NULL},
    {"of_revision", "revision", "query", "integer",
     "Revision of the event; the stream's last one where it is left out", NULL},
    {"if_changed", "If-None-Match", "header", "string",
     "An entity tag: 304 where the state is still that", NULL},
    {NULL, NULL, NULL, NULL, NULL, NULL},
};

/* --- schemas ------------------------------------------------------------------------------ */

#define END                                                                                        \
    { NULL, NULL, NULL, false }

static const struct openapi_member new_event[] = {
    {"type", "string", "At most 256 bytes", true},
    {"id", "string", "At most 256 bytes: it is appended once; left out: a UUID is made", false},
    {"data", "any", "JSON", false},
    {"data_base64", "base64", "Data that is no JSON", false},
    {"datacontenttype", "string", "Media type of the data", false},
    {"tags", "string[]", "At most 64 of at most 256 bytes", false},
    {"metadata", "object", "At most 64 KB: actor, reason, correlation, causation", false},
    {"attributes", "object", "Attributes of CloudEvents: texts, whole numbers, booleans", false},
    {"source", "string", "As in CloudEvents; left out: the stream's subject", false},
    {"time", "time", "As in CloudEvents; left out: now", false},
    {"specversion", "string", "Of CloudEvents: 1.0", false},
    END,
};
static const struct openapi_member event[] = {
    {"stream", "string", "Name of its event stream", true},
    {"revision", "integer", "Its place there, from 0 and without gaps", true},
    {"position", "integer", "Its place among all events, in the order of their commits", true},
    {"id", "string", "Unique within the stream", true},
    {"type", "string", "What has happened", true},
    {"source", "string", "As in CloudEvents", false},
    {"time", "time", "As in CloudEvents", false},
    {"tags", "string[]", "What it can be read by", false},
    {"metadata", "object", "actor, reason, correlation, causation", false},
    {"attributes", "object", "Attributes of CloudEvents", false},
    {"data", "any", "JSON", false},
    {"data_base64", "base64", "Data that is no JSON", false},
    {"datacontenttype", "string", "Media type of data that is not application/json", false},
    {"chain", "string", "SHA-256 over it and the chain of the event before, in hex", true},
    END,
};
static const struct openapi_member cloudevent[] = {
    {"specversion", "string", "1.0", true},
    {"id", "string", "Unique within the source", true},
    {"source", "string", "URI reference", true},
    {"type", "string", "What has happened", true},
    {"time", "time", "When", false},
    {"subject", "string", "What of the source it is about", false},
    {"datacontenttype", "string", "Media type of the data; left out: JSON", false},
    {"data", "any", "JSON, or text of another type", false},
    {"data_base64", "base64", "Bytes", false},
    {"tags", "string", "Tags with commas, a comma within one is %2C", false},
    {"metadata", "string", "A JSON object in a text", false},
    {"stream", "string", "Name of its event stream; left behind where it is appended", false},
    {"revision", "string", "Its place there; likewise", false},
    {"position", "string", "Its place among all events; likewise", false},
    {"chain", "string", "SHA-256 in hex; likewise", false},
    END,
};
static const struct openapi_member query[] = {
    {"types", "string[]", "One of these; none: any", false},
    {"tags", "string[]", "All of these", false},
    END,
};
static const struct openapi_member check[] = {
    {"stream", "string", "Name of an event stream", false},
    {"expect", "string|integer", "What it must be like: none, exists, deleted, a revision", false},
    {"none", "Query|Query[]", "No event may match it, or one of them", false},
    {"after", "integer", "Of none: events up to this position do not count", false},
    END,
};
static const struct openapi_member append[] = {
    {"expect", "string|integer", "any (if left out), none, exists, deleted, a revision", false},
    {"events", "NewEvent[]", "At most 4096; none: the stream is only checked", false},
    {"checks", "Check[]", "Of what is not written", false},
    END,
};
static const struct openapi_member append_part[] = {
    {"stream", "string", "Name of the event stream", true},
    {"expect", "string|integer", "any (if left out), none, exists, deleted, a revision", false},
    {"events", "NewEvent[]", "None: the stream is only checked", false},
    END,
};
static const struct openapi_member append_many[] = {
    {"appends", "AppendPart[]", "At most 256 event streams with the checked ones", false},
    {"checks", "Check[]", "Of what is not written", false},
    END,
};
static const struct openapi_member appended_part[] = {
    {"stream", "string", "Name of the event stream", true},
    {"first", "integer|null", "Revision of the first event; of a check left out", false},
    {"last", "integer|null", "Revision of the last event; of a check left out", false},
    END,
};
static const struct openapi_member appended[] = {
    {"stream", "string", "Name of the event stream", true},
    {"first", "integer|null", "Revision of the first event", false},
    {"last", "integer|null", "Revision of the last event", false},
    {"position", "integer", "Of the last event; of a check: of all events", true},
    {"duplicate", "boolean", "It had been appended before, and nothing was written", true},
    END,
};
static const struct openapi_member appended_many[] = {
    {"position", "integer", "Of the last event", true},
    {"duplicate", "boolean", "It had been appended before, and nothing was written", true},
    {"streams", "AppendedPart[]", "In the order of the request, checks last", true},
    END,
};
static const struct openapi_member page[] = {
    {"last", "integer", "Position of the last event of all", true},
    {"next", "integer|null", "`from` of the next page", true},
    {"caught_up", "boolean", "Nothing is behind this page; forwards only", false},
    {"events", "Event[]", "Of the page", true},
    END,
};
static const struct openapi_member stream_page[] = {
    {"stream", "string", "Name of the event stream", true},
    {"first", "integer", "Revision of the first event that is kept", true},
    {"last", "integer", "Revision of its last event", true},
    {"next", "integer|null", "`from` of the next page; null at the end", true},
    {"caught_up", "boolean", "Nothing is behind this page; forwards only", false},
    {"events", "Event[]", "Of the page", true},
    END,
};
static const struct openapi_member limits[] = {
    {"max_count", "integer", "Events that are kept, the newest", false},
    {"max_age", "string", "For how long they are: 90d", false},
    {"truncate_before", "integer", "The first revision that is kept", false},
    END,
};
static const struct openapi_member life[] = {
    {"stream", "string", "Name of the event stream", true},
    {"state", "string", "never, alive, deleted or tombstoned", true},
    {"version", "integer", "Of the limits: their ETag", true},
    {"first", "integer", "Revision of the first event that is kept", false},
    {"last", "integer", "Revision of the last event", false},
    {"events", "integer", "How many the change takes away", false},
    {"limits", "Limits", "What is kept", false},
    END,
};
static const struct openapi_member fold[] = {
    {"name", "string", "Of nonet.yaml", true},
    {"version", "integer", "Of the fold", true},
    END,
};
static const struct openapi_member state[] = {
    {"stream", "string", "Name of the event stream", true},
    {"revision", "integer", "Of the last event in it", true},
    {"position", "integer", "Of that event", true},
    {"time", "time", "Of that event", false},
    {"fold", "Fold", "What it was folded by", true},
    {"state", "any", "What the events add up to", true},
    {"problems", "any", "What the fold could not apply", false},
    {"from_revision", "integer", "Where earlier events are gone: the first one in it", false},
    END,
};
static const struct openapi_member audit_entry[] = {
    {"position", "integer", "Of the event", true},
    {"time", "time", "When the node stored it", true},
    {"stream", "string", "Name of its event stream", true},
    {"revision", "integer", "Its place there", true},
    {"type", "string", "What has happened", true},
    {"id", "string", "Of the event", true},
    {"actor", "string", "Who", false},
    {"reason", "string", "Why", false},
    {"correlation", "string", "What belongs together", false},
    {"causation", "string", "Id of what it follows from", false},
    END,
};
static const struct openapi_member audit_page[] = {
    {"last", "integer", "Position of the last event of all", true},
    {"after", "integer|null", "`after` of the next page; null at the end", true},
    {"entries", "AuditEntry[]", "Of the page", true},
    END,
};
static const struct openapi_member why_event[] = {
    {"depth", "integer", "How far below the first one", true},
    {"asked", "boolean", "True of the event that is asked about", false},
    {"event", "AuditEntry", "Who did what", true},
    END,
};
static const struct openapi_member why[] = {
    {"stream", "string", "Of the event that is asked about", true},
    {"revision", "integer", "Of that event", true},
    {"correlation", "string", "Its correlation id", false},
    {"command", "string", "What the first event follows from, and is no event", false},
    {"events", "WhyEvent[]", "From the first one down, in the order of the tree", true},
    {"others", "integer", "Events of the correlation beside these", true},
    {"complete", "boolean", "False where the correlation has more than were looked at", true},
    END,
};
static const struct openapi_member report[] = {
    {"events", "integer", "Events that were looked at", true},
    {"streams", "integer", "Event streams", true},
    {"findings", "integer", "How much is wrong", true},
    END,
};
static const struct openapi_member verified[] = {
    {"report", "Report", "In numbers", true},
    {"findings", "string[]|null", "In words; null where they are too many to be told", true},
    END,
};
static const struct openapi_member problem[] = {
    {"type", "string", "about:blank", false},
    {"title", "string", "Words for the status", true},
    {"status", "integer", "The HTTP status", true},
    {"detail", "string", "What is wrong, where, and what to do", false},
    END,
};
static const struct openapi_member violation[] = {
    {"check", "string", "expect, ids or none", true},
    {"stream", "string", "Of expect and ids: name of the event stream", false},
    {"expected", "string|integer", "Of expect and ids", false},
    {"actual", "string|integer",
     "Of expect and ids: none, deleted, tombstoned, or the last "
     "revision",
     false},
    END,
};
static const struct openapi_member conflict[] = {
    {"title", "string", "Words for the status", true},
    {"status", "integer", "409, or 412 where the expectation was If-Match or If-None-Match", true},
    {"detail", "string", "What is not as expected", false},
    {"position", "integer", "How far all events have got", false},
    {"violations", "Violation[]", "All that is not as expected", false},
    END,
};

const struct openapi_schema openapi_schemas[] = {
    {"NewEvent", "An event to be appended", new_event, false},
    {"Event", "An event as it is read", event, true},
    {"CloudEvent", "A CloudEvent 1.0 in the JSON event format; extensions are further members",
     cloudevent, true},
    {"Query", "Events by type and tag", query, false},
    {"Check",
     "A condition: an event stream and what is expected of it, or a query that no event "
     "may match",
     check, false},
    {"Append", "Events for one event stream", append, false},
    {"AppendPart", "Events for one of several event streams", append_part, false},
    {"AppendMany", "Events for several event streams: all or nothing", append_many, false},
    {"Appended", "What an append has come to", appended, true},
    {"AppendedPart", "The same of one of several event streams", appended_part, true},
    {"AppendedMany", "What an append to several has come to", appended_many, true},
    {"Page", "A page of all events", page, true},
    {"StreamPage", "A page of an event stream", stream_page, true},
    {"Limits", "What an event stream keeps; what is left out is no limit", limits, false},
    {"Life", "An event stream's state, and what it keeps", life, true},
    {"Fold", "A fold of nonet.yaml", fold, true},
    {"State", "The state of an event stream after one of its events", state, true},
    {"AuditEntry", "Who did what, when and why", audit_entry, true},
    {"AuditPage", "A page of the audit list", audit_page, true},
    {"WhyEvent", "An event in the tree of causes", why_event, true},
    {"Why", "The tree of causes around an event", why, true},
    {"Report", "What a verification has looked at", report, true},
    {"Verified", "What a verification has found", verified, true},
    {"Problem", "RFC 9457", problem, true},
    {"Violation", "One thing that is not as expected", violation, true},
    {"Conflict", "A problem with everything that is not as expected", conflict, true},
    {NULL, NULL, NULL, false},
};

/* --- errors ------------------------------------------------------------------------------- */

const struct openapi_error openapi_errors[] = {
    {"304", "It is still what the client has", NULL, false},
    {"400", "The request is wrong; detail says what and where", "Problem", true},
    {"401", "No credentials, or wrong ones", "Problem", true},
    {"403", "Not for this route of a gateway", "Problem", false},
    {"404", "There is no such event stream, or no such event", "Problem", false},
    {"406", "It has more than headers can hold", "Problem", false},
    {"409", "A conflict: nothing was changed", "Conflict", false},
    {"410", "The event stream has been deleted for ever", "Problem", false},
    {"412", "The same, where the expectation was If-Match or If-None-Match", "Conflict", false},
    {"413", "The body is larger than 16 MB", "Problem", false},
    {"415", "CloudEvents in a format that is not JSON", "Problem", false},
    {"429", "Too much is under way: try again", "Problem", true},
    {"500", "An earlier event cannot be read", "Problem", true},
    {"503", "The node stops, or has no memory or room", "Problem", true},
    {"504",
     "Not in time: an append may be stored or not, send it again with the same ids; or "
     "min_position has not come",
     "Problem", false},
    {NULL, NULL, NULL, false},
};
