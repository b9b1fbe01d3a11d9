-- Which of the service's branches a stored one is: settle finds its business functions by it.
select path from ordertx_fence where transaction = $1 and branch = $2;
