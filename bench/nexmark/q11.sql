-- q11, user sessions.
SELECT bidder, count(*) AS bids, window_start, window_end
FROM session(bid, date_time, bidder, INTERVAL '10' SECOND)
GROUP BY 1, 3, 4
