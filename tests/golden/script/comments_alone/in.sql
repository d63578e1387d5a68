-- only
/* comments;
 here; */
