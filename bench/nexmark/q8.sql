-- q8, new users: who registered and opened an auction in the same window.
SELECT p.id, p.name, p.window_start
FROM (SELECT DISTINCT id, name, window_start, window_end
      FROM tumble(person, date_time, INTERVAL '10' SECOND)) p
JOIN (SELECT DISTINCT seller, window_start, window_end
      FROM tumble(auction, date_time, INTERVAL '10' SECOND)) a
  ON p.id = a.seller AND p.window_start = a.window_start AND p.window_end = a.window_end
