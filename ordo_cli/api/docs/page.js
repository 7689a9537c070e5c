// A token that was typed in is kept in this tab's memory alone, and no other host is asked to validate anything.
const place = document.getElementById("page");
SwaggerUIBundle({
  domNode: place,
  url: place.dataset.openapi,
  deepLinking: true,
  defaultModelsExpandDepth: -1,
  displayRequestDuration: true,
  persistAuthorization: false,
  validatorUrl: null,
});
