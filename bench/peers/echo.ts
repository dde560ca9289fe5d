/** Bare Koa with the broker's router and body parser: what an HTTP answer costs by itself. */
import Router from '@koa/router';
import Koa from 'koa';
import bodyParser from 'koa-bodyparser';

const router = new Router();
router.post('/api/v1/message', (ctx) => {
  ctx.status = 202;
  ctx.body = ctx.request.body;
});
const app = new Koa();
app.use(bodyParser());
app.use(router.routes()).use(router.allowedMethods());
app.listen(Number(process.env['PORT']), '127.0.0.1');
