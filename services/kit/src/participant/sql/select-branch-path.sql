select path from ordertx_fence where transaction = $1 and branch = $2;
