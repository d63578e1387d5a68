-- before; it
SELECT /* in; side */ 1 -- behind; it
;
/* between */ SELECT 2; -- after
