-- q5, hot items: which auction had the most bids in each window.
WITH counted AS (
    SELECT auction, window_start, count(*) AS num
    FROM hop(bid, date_time, INTERVAL '2' SECOND, INTERVAL '10' SECOND)
    GROUP BY 1, 2
), most AS (
    SELECT window_start, max(num) AS maxn FROM counted GROUP BY 1
)
SELECT c.auction, c.num, c.window_start
FROM counted c JOIN most m ON c.window_start = m.window_start AND c.num >= m.maxn
