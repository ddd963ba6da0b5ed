-- What q13 and q14 need beside the events: a side input, and a function in SQL.
CREATE FUNCTION count_char(s varchar, c varchar) RETURNS bigint LANGUAGE sql
    AS $$ SELECT length(s) - length(replace(s, c, '')) $$;
CREATE TABLE side_input (key bigint PRIMARY KEY, value varchar);
INSERT INTO side_input SELECT g, g::text FROM generate_series(0, 9999) g;
