-- q12, bids of each bidder in windows of the wall clock: the one query whose rows differ from run
-- to run. The clock is the log's, so that a restart finds the same windows.
SELECT bidder, count(*) AS bids, window_start, window_end
FROM tumble(arrival, nonet_time, INTERVAL '10' SECOND)
GROUP BY 1, 3, 4
